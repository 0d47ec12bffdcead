package access

import (
	"net/http"
	"testing"
)

// everyFact calls f with all facts that a request can have.
func everyFact(f func(*Facts)) {
	for bits := range 1 << 9 {
		bit := func(i int) bool { return bits>>i&1 == 1 }
		for need := NeedMonitor; need <= NeedAct; need++ {
			for session := None; session <= Act; session++ {
				for token := None; token <= Act; token++ {
					f(&Facts{need, bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7), session, bit(8), token})
				}
			}
		}
	}
}

// Rules that hold for every request, each said without the way in which Decide comes to them.
func TestDecideEveryRequest(t *testing.T) {
	counts := map[Need]int{}
	everyFact(func(f *Facts) {
		d := Decide(f)
		here := f.Loopback && f.LocalName && !f.Forwarded
		credential := f.Token
		if f.Session > credential && (!f.Change || f.CSRF) {
			credential = f.Session
		}
		open := f.Password || here
		var want bool
		switch f.Need {
		case NeedMonitor:
			want = f.Listed || here && (!f.Change || f.Simulated) || open && credential >= Look
		case NeedLogin:
			want = f.Password
		case NeedLook:
			want = here && (!f.Change || f.Simulated) || open && credential >= Look
		case NeedAct:
			want = here && f.Simulated || open && credential >= Act
		}
		want = want && !f.CrossSite
		switch {
		case d.Allowed() != want:
			t.Fatalf("%+v: %+v", *f, d)
		case !d.Allowed() && (d.Reason == "" || d.Status != http.StatusUnauthorized && d.Status != http.StatusForbidden || d.Role != None || d.Known):
			t.Fatalf("%+v is refused without a reason, or as known: %+v", *f, d)
		case d.Allowed() && d.Known != (open && credential > None):
			t.Fatalf("%+v: known: %+v", *f, d)
		case d.Allowed() && d.Role == Act && !(here && f.Simulated) && !(open && credential == Act):
			t.Fatalf("%+v may act: %+v", *f, d)
		}
		if d.Allowed() {
			counts[f.Need]++
		}
	})
	for need := NeedMonitor; need <= NeedAct; need++ {
		if counts[need] == 0 {
			t.Errorf("nothing is allowed that needs %d", need)
		}
	}
}

// What a refusal says is what to do about it.
func TestReasons(t *testing.T) {
	for name, tc := range map[string]struct {
		f      Facts
		status int
		reason string
	}{
		"another site":       {Facts{Need: NeedLook, CrossSite: true, Loopback: true, LocalName: true}, 403, reasonCrossSite},
		"no password":        {Facts{Need: NeedLook}, 403, reasonPassword},
		"no password, token": {Facts{Need: NeedAct, Token: Act}, 403, reasonPassword},
		"nothing sent":       {Facts{Need: NeedLook, Password: true}, 401, reasonLogin},
		"to act here":        {Facts{Need: NeedAct, Change: true, Loopback: true, LocalName: true}, 401, reasonLogin},
		"a look token":       {Facts{Need: NeedAct, Change: true, Password: true, Token: Look}, 403, reasonRole},
		"no CSRF":            {Facts{Need: NeedAct, Change: true, Password: true, Session: Act}, 403, reasonCSRF},
		"a monitor":          {Facts{Need: NeedMonitor, Password: true}, 403, reasonMonitor},
		"a login":            {Facts{Need: NeedLogin, Change: true}, 403, reasonPassword},
	} {
		if d := Decide(&tc.f); d.Status != tc.status || d.Reason != tc.reason {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
