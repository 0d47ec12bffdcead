package hw

// Start is what an output line does when it is opened.
type Start uint8

// Starts of an output.
const (
	// StartOff switches the output off in the request itself: the line never has
	// another value as an output.
	StartOff Start = iota
	// StartOn switches it on in the same way.
	StartOn
	// StartKeep makes the line an output with the level that it has: an output
	// that the last process left on stays on. See [Board].OpenOutput for its limits.
	StartKeep
)

// OutputOpts defines how an output line is opened.
type OutputOpts struct {
	// ActiveLow says that on is the low level, as for most relay boards.
	ActiveLow bool
	// Start is the first value.
	Start Start
}

// Output is an open digital output line. Its methods may be called from several
// goroutines.
type Output interface {
	// String is the name that opens this very line: "pinctrl-rp1:GPIO17".
	String() string
	// Set switches the output. ErrGone says that its chip has gone and that the
	// output must be closed and opened again.
	Set(on bool) error
	// Value reads the line back: what a Pi's pin has, which differs from what was
	// set when something else drives the wire. ErrUnsupported: the chip does not
	// read its outputs.
	Value() (on bool, err error)
	// Close gives the line back. It switches nothing itself: call Set before. It
	// may be called twice.
	Close() error
}
