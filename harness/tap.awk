# SPDX-License-Identifier: GPL-2.0
# Judge one program of ours: every TAP line is a check, a skip is a failure
# unless it is expected, and so are a plan that is not fulfilled and an exit
# status that is not 0.
# where: "MODE PROGRAM"; outcome: "exit N", "signal N", "timeout WHY", "host WHY";
# skips: "TEST WHY", the tests that are expected to be skipped
BEGIN {
	skips_test = skips_why = skips
	sub(/[ \t].*/, "", skips_test)
	sub(/^[^ \t]*[ \t]+/, "", skips_why)
}
function say(result, what) { print result, where ": " what }

# What the program says of a failure, before the line that counts
/^#  +RUN/ { why = "" }
/^#.*(Test terminated|Expected .* \(.*\))/ && why == "" { why = $0; sub(/^# */, "", why) }
/^==== Test Assertion Failure/ && why == "" { expected = NR + 1 }
NR == expected { why = $0; sub(/^ */, "", why) }
/^  0x[0-9a-f]+ .* 0x[0-9a-f]+ / && expected && NR > expected { sub(/^ */, ""); why = why ": " $0; expected = 0 }

/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
/^(not )?ok [0-9]+/ {
	ran++
	what = $0
	sub(/^(not )?ok [0-9]+ *(- )?/, "", what)
	if (what ~ /# *SKIP/ && skips != "" && what ~ skips_test)
		say("skip", what ": " skips_why)
	else if (what ~ /# *SKIP/)
		say("fail", what " (skipped)")
	else if ($1 == "not") {
		say("fail", what (why == "" ? "" : ": " why))
		bad++
	} else
		say("pass", what)
}
END {
	split(outcome, o)
	if (outcome == "exit 4")
		say("fail", "skipped as a whole")
	else if (o[1] == "timeout")
		say("fail", substr(outcome, 9))
	else if (outcome != "exit 0" && !(o[1] == "exit" && bad))
		say("fail", "ended with " outcome)
	else if (plan && ran != plan)
		say("fail", "planned " plan " checks, reported " ran + 0)
	else if (!ran && outcome == "exit 0")
		say("pass", "exit status 0")
}
