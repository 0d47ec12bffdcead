package api

import (
	"fmt"
	"net/http"
	"strings"
)

// Audience is who may use a route. Each includes those that follow.
type Audience int

// The audiences. The first three are served over TCP, too; the others on the local socket
// only. The zero value is no audience, so that a route without one is refused.
const (
	// Anyone is every client that knows the path, for pictures: their names are secrets of
	// 128 random bits.
	Anyone Audience = iota + 1
	// Monitors are the networks and the token that http.allow_nets and http.token_file name.
	Monitors
	// Machine are the programs on this machine.
	Machine
	// Group are those who may open the local socket: the members of the group pithings under
	// systemd.
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
	case Machine:
		return "machine"
	case Group:
		return "group"
	case Owner:
		return "owner"
	}
	return "none"
}

// TCP reports whether the web server serves routes for a.
func (a Audience) TCP() bool { return a >= Anyone && a <= Machine }

// Route is one request that can be made.
type Route struct {
	Method string // GET also serves HEAD
	Path   string // a pattern of http.ServeMux without method and host
	Doc    string // what it does, as a verb: "deploy flows"
	For    Audience
	// Handler answers. It need not check who asks.
	Handler http.Handler
}

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
	case r.For.TCP() && r.Method != http.MethodGet:
		// Until there are logins. A browser on this machine can be made to send a POST.
		return fmt.Errorf("route %s: only GET is served over TCP", r.Pattern())
	case r.Doc == "":
		return fmt.Errorf("route %s: it has no description", r.Pattern())
	case r.Handler == nil:
		return fmt.Errorf("route %s: it has no handler", r.Pattern())
	}
	return nil
}
