# SPDX-License-Identifier: Apache-2.0
"""What the stories are told with: real nodes, scripted origins, clients that send exact bytes."""
