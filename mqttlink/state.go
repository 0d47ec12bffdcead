package mqttlink

// State is what a link is doing.
type State int32

// The states of a link.
const (
	Offline    State = iota // before Run, or waiting for the next attempt
	Connecting              // attempting
	Online                  // connected
	Ended                   // Run has returned
)

// String returns the state in lower case.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

var stateNames = [...]string{"offline", "connecting", "online", "ended"}
