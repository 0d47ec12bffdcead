package accepted

import "fmt"

// Connection is a broker that was accepted from afar, with all that belongs to its address: it
// takes the place of what the configuration file says of these four, as one. So a password never
// comes to another broker than the one with which it was given: neither the one in the file to one
// from afar, nor the other way round.
//
// The files of revisions are for their owner alone (0600), as credentials are. Formatted, it shows
// nothing.
type Connection struct {
	Endpoint   string `json:"endpoint"`
	Username   string `json:"username,omitempty"`
	Password   string `json:"password,omitempty"`
	ServerName string `json:"server_name,omitempty"`
}

// Format implements fmt.Formatter, so that no verb shows the password.
func (c Connection) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[connection]") }

// Connect returns the revision with changes to its connections, by the names of their things; ""
// is the shared one. nil: that of the configuration file counts again.
func (r Revision) Connect(changes map[string]*Connection) Revision {
	all := make(map[string]Connection, len(r.Connections)+len(changes))
	for name, c := range r.Connections {
		all[name] = c
	}
	for name, c := range changes {
		if c == nil {
			delete(all, name)
		} else {
			all[name] = *c
		}
	}
	r.Connections = all
	return r
}

// Empty reports whether there is nothing to lay over the file.
func (r *Revision) Empty() bool { return len(r.Settings) == 0 && len(r.Connections) == 0 }
