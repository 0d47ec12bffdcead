// Package configure serves the configuration over HTTP: what is effective, without its secrets, its
// schema, and changes of what may be changed from afar (docs/api.md, docs/configuration.md).
//
// A change names the state on which it is based, so that of two people who change the same at a
// time the second one learns that. It is checked as the file is, compared with what runs, kept
// (pithings/spool/accepted), tried, and taken back if the agent does not connect with it; the agent
// does all that, as for other settings from afar:
//
//	api := &configure.API{State: dir, Current: current, Load: load, Turn: turn, Keep: keep, Apply: apply, …}
//	routes := api.Routes()
//
// A broker is changed together with its password only (conf.WithSecret).
package configure
