#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs Check programs one after the other and sums them up. A program that dies or says nothing is
# one failed test; what a program says is shown when it fails, and in $B/tests/<program>.log.
CK_FORK=no # GNU OpenMP's threads do not survive a fork
export CK_FORK
passed=0
failed=0
for program in "$@"; do
    log=$program.log
    started=$(date +%s)
    timeout "${NM_TEST_TIMEOUT:-900}" "$program" >"$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - started))
    counts=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' \
        "$log" | tail -1)
    if [ -n "$counts" ]; then
        read -r checks failures errors <<END
$counts
END
        bad=$((failures + errors))
        good=$((checks - bad))
        [ $status -eq 0 ] || [ $bad -gt 0 ] || bad=1
    else
        good=0
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    verdict=ok
    [ $bad -eq 0 ] || verdict=FAILED
    printf '%-6s %-32s %4d checks  %3d s\n' $verdict "${program#*/tests/}" $((good + bad)) $seconds
    grep '^skip' "$log" | sed 's/^/         /'
    if [ $bad -gt 0 ]; then
        [ $status -eq 0 ] || echo "         exit status $status"
        tail -40 "$log" | sed 's/^/         /'
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
