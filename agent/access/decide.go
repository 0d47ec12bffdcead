package access

import (
	"fmt"
	"net/http"
)

// Role is what a client may do. Each includes those before it.
type Role int

// The roles.
const (
	None Role = iota
	Look      // see everything that the agent shows
	Act       // and use the parts, start flows, acknowledge alarms
)

// String names a role as pithings token add does.
func (r Role) String() string {
	switch r {
	case Look:
		return "look"
	case Act:
		return "act"
	}
	return "none"
}

// ParseRole is the reverse of String, of look and act.
func ParseRole(s string) (Role, error) {
	for _, r := range []Role{Look, Act} {
		if r.String() == s {
			return r, nil
		}
	}
	return None, fmt.Errorf("role %q: it is look or act", s)
}

// Need is what a route asks of its clients.
type Need int

// What routes need.
const (
	NeedMonitor Need = iota // hosts of allow_nets and the token of token_file, or the role look
	NeedLogin               // a site of our own: the password is in the request
	NeedLook
	NeedAct
)

// Facts are what a request is decided by.
type Facts struct {
	Need   Need
	Change bool // it is a POST

	Loopback  bool // the other end of the connection is on this machine
	LocalName bool // Host is a loopback address or localhost
	Forwarded bool // a proxy has forwarded it, or may have
	CrossSite bool // a browser sends it for a page of another site
	Listed    bool // http.allow_nets or http.token_file allow it to monitor

	Simulated bool // run --mock: whoever is on this machine may act
	Password  bool // one is set
	Session   Role // of a session cookie
	CSRF      bool // it has the session's secret in its header, too
	Token     Role // of a bearer token
}

// Decision is the answer to a request.
type Decision struct {
	Status int    // 0: it is allowed; else of HTTP
	Reason string // why it is not, and what to do
	Role   Role   // as which it is allowed
	Known  bool   // by a session or a token
}

// Allowed reports whether the request is.
func (d *Decision) Allowed() bool { return d.Status == 0 }

// What refusals say.
const (
	reasonCrossSite = "not for pages of other sites"
	reasonMonitor   = "only for programs on this machine, for those that http.allow_nets and http.token_file of its configuration allow, and with the role look"
	reasonPassword  = "until a password is set, only programs on this machine are served: set one with: pithings passwd"
	reasonLogin     = "log in, or send a token: Authorization: Bearer TOKEN"
	reasonCSRF      = "a change by a session needs the header X-CSRF-Token, with what GET /api/v1/session returns"
	reasonRole      = "this needs the role act"
)

// Decide decides about a request.
func Decide(f *Facts) Decision {
	if f.CrossSite {
		return refuse(http.StatusForbidden, reasonCrossSite)
	}
	here := f.Loopback && f.LocalName && !f.Forwarded
	d := Decision{Role: f.anonymous(here)}
	if f.Password || here { // until then the machine is closed, whatever tokens there are
		d.by(f.Token)
		if !f.Change || f.CSRF {
			d.by(f.Session)
		}
	}
	switch f.Need {
	case NeedMonitor:
		if f.Listed || d.Role >= Look {
			return d
		}
		return refuse(http.StatusForbidden, reasonMonitor)
	case NeedLogin:
		if f.Password {
			return d
		}
		return refuse(http.StatusForbidden, reasonPassword)
	case NeedLook:
		if d.Role >= Look {
			return d
		}
	case NeedAct:
		if d.Role >= Act {
			return d
		}
	}
	return f.refusal(&d, here)
}

// anonymous is the role of a client that sends nothing to be known by.
func (f *Facts) anonymous(here bool) Role {
	switch {
	case here && f.Simulated:
		return Act
	case here && !f.Change:
		return Look
	}
	return None
}

// by lets a client be what a session or a token makes it.
func (d *Decision) by(r Role) {
	d.Known = d.Known || r > None
	d.Role = max(d.Role, r)
}

// refusal says why a request for a role is refused.
func (f *Facts) refusal(d *Decision, here bool) Decision {
	switch {
	case !f.Password && !here:
		return refuse(http.StatusForbidden, reasonPassword)
	case f.Change && !f.CSRF && f.Session > None && d.Role == None:
		return refuse(http.StatusForbidden, reasonCSRF)
	case d.Known:
		return refuse(http.StatusForbidden, reasonRole)
	}
	return refuse(http.StatusUnauthorized, reasonLogin)
}

func refuse(status int, reason string) Decision { return Decision{Status: status, Reason: reason} }
