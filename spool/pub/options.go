package pub

import (
	"io"
	"log/slog"
	"time"

	"pithings/mqttlink"
	"pithings/mqttlink/outbox"
	"pithings/spool/state"
)

// Options are what Run works with.
type Options struct {
	State      string             // the state folder
	Connection string             // of the owner of the folder, if there is one; "": the usual one
	Link       mqttlink.Options   // for when this process owns it; without an Endpoint nothing is delivered
	Queue      outbox.DiskOptions // its limits
	Linger     time.Duration      // at the end, for what is on its way to the broker
	Log        *slog.Logger

	// Claim, if not nil, may refuse the folder once it is owned, before anything in it is
	// opened.
	Claim func(*state.Folder) error
	// Agent is the socket of a running agent with another state folder, which takes the
	// messages as long as it runs; "" if they are for the folder alone.
	Agent string
	// Simulated says that the agent is a simulation, which is not handed the queues of
	// real things; and no other agent those of a simulation.
	Simulated bool
	// Rest, if not nil, is called at the end with what is left in the folder.
	Rest func(Rest)

	// Input gives the messages; nil at the end. It may wait.
	Input func() ([]mqttlink.Message, error)
	// Verdicts, if not nil, gets the lines "safe N" and "held N".
	Verdicts io.Writer

	silence time.Duration // after which an owner without an answer is reported
}

// patience is how long a folder may be owned by a process that does not answer: one
// that is starting, or ending.
const patience = 10 * time.Second
