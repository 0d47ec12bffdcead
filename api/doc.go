// Package api is what a service of the agent offers to those outside: the routes of the HTTP
// API, each with its audience, and the metrics.
//
// A service describes its routes and does not serve them:
//
//	func (s *store) Routes() []api.Route {
//		return []api.Route{{Method: "GET", Path: "/api/v1/pictures", For: api.Group, Doc: "list the pictures",
//			Handler: api.JSON(func(r *http.Request) (any, error) { return s.list(r.Context()) })}}
//	}
//
// The agent puts the routes of all services into one table (docs/api.md), and two servers serve
// it: the local socket (spool/control) all of it, the web server what its audience allows.
package api
