package agent

import "pithings/agent/events"

// Events implements Happening.
func (l *links) Events() []events.Source {
	return []events.Source{{Kind: "connection", List: l.listed, Changes: l.changed.follow}}
}

// listed are the connections by name.
func (l *links) listed() map[string]any {
	all := map[string]any{}
	for _, c := range l.connections() {
		all[c.Name] = c
	}
	return all
}
