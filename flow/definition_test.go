package flow

import (
	"strings"
	"testing"
	"time"
)

func TestParseEvery(t *testing.T) {
	for text, want := range map[string]Every{
		"every 10 seconds": {10, Seconds}, "10 second": {10, Seconds}, "EVERY 2 Minutes": {2, Minutes}, "every hour": {1, Hours}, "every 1 day": {1, Days},
		"every 3 weeks": {3, Weeks}, "every 6 months": {6, Months}, "every year": {1, Years},
		"": {}, "every": {}, "every 0 seconds": {}, "every -1 days": {}, "every 1.5 hours": {}, "every 5 fortnights": {}, "every 99999999999 seconds": {}, "every 1 2 days": {},
	} {
		got, err := ParseEvery(text)
		if got != want || (err == nil) != (want != Every{}) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
		if err == nil {
			if again, err := ParseEvery(got.String()); again != got || err != nil {
				t.Errorf("%q prints as %q, which is %v, %v", text, got, again, err)
			}
		}
	}
	if got := (Every{2, Weeks}).Length(); got != 14*24*time.Hour {
		t.Errorf("two weeks are %v", got)
	}
}

func TestParseStatement(t *testing.T) {
	for text, want := range map[string]Statement{
		"setEvent('it is done')": {Event: "it is done"}, "ThingsGraph.setEvent(\"a\")": {Event: "a"}, "${SetEvent('a')}": {Event: "a"}, "done": {Event: "done"}, "'done'": {Event: "done"},
		"fail('Blurred')": {Error: "Blurred"}, "fail()": {},
	} {
		got, err := ParseStatement(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if again, err := ParseStatement(got.String()); err != nil || again != want {
			t.Errorf("%s prints as %s: %v", text, got, err)
		}
	}
	for _, text := range []string{"", "setEvent()", "setEvent(x)", "setEvent('')", "setEvent('a', 'b')", "1 + 1", "''", "other('a')"} {
		if _, err := ParseStatement(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestTextValue(t *testing.T) {
	for text, isExpr := range map[string]bool{"plain": false, "$5": false, "${a.b}": true, "x ${a} y": true, "$macro(a)": true} {
		v, err := TextValue(text)
		if err != nil || (v.Expr != nil) != isExpr {
			t.Errorf("%q: %+v, %v", text, v, err)
		}
	}
	if _, err := TextValue("${a"); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
}
