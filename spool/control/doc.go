// Package control is how other processes of this program on this host talk with an
// agent, and how they find it: they hand messages over, ask how things are, and change
// flows. It speaks HTTP/1.1 with JSON; a stream is an HTTP upgrade.
//
// An agent listens at two sockets (docs/agent.md):
//
//	STATE/socket                        whoever may use the state folder; 0600
//	/run/pithings/socket                the service: its user, root, the group pithings; 0660
//	$XDG_RUNTIME_DIR/pithings/*.socket  another agent: its user and root; 0600
//
// At the socket that is open to a group the kernel says who asks (SO_PEERCRED): what
// changes the agent is for its user and root ([api.Owner]).
package control
