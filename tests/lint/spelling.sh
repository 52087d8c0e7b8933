#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# codespell over everything that is text and ours; unit tests misspell on purpose. Words it may not
# touch: spelling.words.
set -euo pipefail
command -v codespell >/dev/null || exit 77
git ls-files --cached --others --exclude-standard | grep -vE '(/corpus/|^tests/unit/.*[.]c$|^LICENSE$|\.(pem|key|crt|der)$)' |
    xargs -r codespell --ignore-words tests/lint/spelling.words
