package doctor

import (
	"cmp"
	"strings"
)

// advice parts the text of an error into the trouble and what to do about it,
// which stands last, behind a semicolon. fix is empty when the error knows
// none.
func advice(text string) (problem, fix string) {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.LastIndex(text, "; "); i >= 0 {
		return text[:i], text[i+2:]
	}
	return text, ""
}

// lastResort is what to do when nobody knows better.
const lastResort = "`pithings doctor -v` shows the whole error, and `dmesg` may tell more"

// failure tells of a part that does not work. otherwise is what to do if err
// does not say.
func failure(part string, err error, otherwise string) Result {
	problem, fix := advice(err.Error())
	return Result{Part: part, Status: Fail, Problem: problem, Fix: cmp.Or(fix, otherwise, lastResort), cause: err}
}
