package conf

// Change says from where the value of a key may be changed. Every key has it in its tag
// change.
type Change string

const (
	// Afar: on the machine, or through the network by who manages it.
	Afar Change = "afar"
	// Local: on the machine alone. What opens the machine, its files or its network to
	// others, what the part of a board is, and what could cut the machine off for good.
	Local Change = "local"
	// WithSecret: on the machine, or through its HTTP API together with the secret that the tag
	// secret names, typed anew. What is sent to an address is kept for that address only; for
	// all other ways it is Local.
	WithSecret Change = "with_secret"
)

// Change returns from where the key may be changed, or "" if its tag does not say it.
func (f Field) Change() Change { return Change(f.Tag.Get("change")) }
