package api

import (
	"fmt"
	"net/http"
	"strings"
)

// Audience is who may use a route. Each includes those that follow.
type Audience int

// The audiences. The first four are served over TCP, too; the others on the local socket
// only. The zero value is no audience, so that a route without one is refused.
const (
	// Anyone is every client that knows the path, for pictures: their names are secrets of
	// 128 random bits.
	Anyone Audience = iota + 1
	// Monitors are the networks and the token that http.allow_nets and http.token_file name.
	Monitors
	// Look are the programs on this machine, and clients with a session or a token.
	Look
	// Act are clients with a session, or with a token whose role is act.
	Act
	// Group are those who may open the local socket: the members of the group pithings under
	// systemd. They may do what Act may, too.
	Group
	// Owner is root, and the user of the agent.
	Owner
)

// String names an audience as docs/api.md does.
func (a Audience) String() string {
	switch a {
	case Anyone:
		return "anyone"
	case Monitors:
		return "monitors"
	case Look:
		return "look"
	case Act:
		return "act"
	case Group:
		return "group"
	case Owner:
		return "owner"
	}
	return "none"
}

// TCP reports whether the web server serves routes for a.
func (a Audience) TCP() bool { return a >= Anyone && a <= Act }

// Route is one request that can be made.
type Route struct {
	Method string // GET also serves HEAD
	Path   string // a pattern of http.ServeMux without method and host
	Doc    string // what it does, as a verb: "deploy flows"
	For    Audience
	// Changes marks a GET that changes something, in the manner of another API. Its clients are
	// checked as those of a POST, whose form may have the secret of a session as [FormSecret].
	Changes bool
	// Handler answers. It need not check who asks.
	Handler http.Handler

	// The rest describes it for clients (agent/openapi).

	// Params are those of the query, and those of the path that need words.
	Params []Param
	// Takes is a value of the type of the body, and Gives one of the type of the answer, which
	// both are JSON; nil: none. Their fields' words are in the tag jsonschema.
	Takes, Gives any
	// Media is the Content-Type of an answer that is not JSON.
	Media string
}

// Param is a parameter of a route.
type Param struct {
	Name, Doc string
	Type      string // of JSON Schema; "": string
	Required  bool   // those of the path always are
}

// FormSecret is the field of a form that has what others send in the header X-CSRF-Token.
const FormSecret = "csrf"

// Pattern is the route as a pattern of http.ServeMux.
func (r *Route) Pattern() string { return r.Method + " " + r.Path }

// Check reports what is wrong with a route.
func (r *Route) Check() error {
	switch {
	case r.For < Anyone || r.For > Owner:
		return fmt.Errorf("route %s: it has no audience", r.Pattern())
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return fmt.Errorf("route %s: the method is neither GET nor POST", r.Pattern())
	case !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("route %s: the path does not begin with /", r.Pattern())
	case r.For == Monitors && r.Method != http.MethodGet:
		return fmt.Errorf("route %s: monitors change nothing", r.Pattern())
	case r.Changes && r.For < Act:
		return fmt.Errorf("route %s: those who look change nothing", r.Pattern())
	case r.For == Act && r.Method != http.MethodPost && !r.Changes:
		// A page of another site can make a browser send a GET, and its user follow a link.
		return fmt.Errorf("route %s: what acts is a POST", r.Pattern())
	case r.Doc == "":
		return fmt.Errorf("route %s: it has no description", r.Pattern())
	case r.Handler == nil:
		return fmt.Errorf("route %s: it has no handler", r.Pattern())
	}
	return nil
}
