// Package agent turns a configuration into running services: connections, embedded broker, web
// server, local socket, things and flows. It is composition and nothing else: what a thing, a
// flow or a connection does is in the packages below.
//
// [New] makes the services, [Agent.Run] starts them in order and ends them in reverse (see
// [Service]), and [Agent.Reload] makes another configuration the running one. Each service describes
// its health, metrics and routes, which the agent puts together (report.go, docs/api.md).
//
// A thing's part that fails never stops the others. It is opened anew after a pause that doubles
// from one second to a minute, and /healthz shows its state.
//
// To read it: service.go, agent.go, runner.go; then one file for each service (broker.go,
// clock.go, web.go, links.go, control.go, things.go, flows.go); then change.go and reload.go.
package agent
