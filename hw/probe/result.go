package probe

import (
	"cmp"
	"fmt"
	"strings"
)

// Status is the outcome of looking at one part.
type Status string

// The outcomes. Only Fail makes a report a bad one.
const (
	OK   Status = "ok"
	Note Status = "note" // nothing wrong; good to know
	Warn Status = "warn" // works, or may work, but not as it should
	Fail Status = "fail" // does not work
)

// Result is what was found of one part. It is written to JSON as it is.
type Result struct {
	Part    string `json:"part"`
	Status  Status `json:"status"`
	Found   string `json:"found"`
	Problem string `json:"problem"`
	Fix     string `json:"fix"` // what to do, in one line

	Cause error `json:"-"` // the whole error, for those who want to see it
}

// Found is the result of a part that works.
func Found(part, format string, args ...any) Result {
	return Result{Part: part, Status: OK, Found: fmt.Sprintf(format, args...)}
}

// Failure is the result of a part that does not work. otherwise is what to do if err
// does not say.
func Failure(part string, err error, otherwise string) Result {
	problem, fix := Advice(err.Error())
	return Result{Part: part, Status: Fail, Problem: problem, Fix: cmp.Or(fix, otherwise, lastResort), Cause: err}
}

// lastResort is what to do when neither the error nor the caller says.
const lastResort = "`pithings doctor -v` shows the whole error, and `dmesg` may tell more"

// Advice splits the text of an error into the problem and what to do about it,
// which stands last, behind a semicolon. fix is empty when the error has none.
func Advice(text string) (problem, fix string) {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.LastIndex(text, "; "); i >= 0 {
		return text[:i], text[i+2:]
	}
	return text, ""
}
