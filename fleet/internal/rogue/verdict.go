package rogue

// Verdict is what has become of a behaviour.
type Verdict string

// The verdicts.
const (
	Stopped   Verdict = "stopped"
	Through   Verdict = "let through"
	NotTested Verdict = "not tested"
)

// How a broker stops a behaviour.
const (
	Closed  = "closed the connection"
	Refused = "refused"
	Dropped = "dropped without a word"
	Ignored = "ignored"
	Bound   = "uses the identity's own client id"
	Served  = "serves others meanwhile"
	Bounded = "keeps a part only"
)

// Severity is how much it matters that a behaviour is let through.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // the broker is another's
	High     Severity = "high"     // one device can act for, or read, another one
	Medium   Severity = "medium"   // one device can cost the broker much, or others their service
	Low      Severity = "low"      // against the specification, or what most brokers cannot forbid
)

// Rank orders severities, the worst first.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 0
	case High:
		return 1
	case Medium:
		return 2
	case Low:
		return 3
	}
	return 4
}

// Finding is what one device has found out by one behaviour.
type Finding struct {
	Verdict Verdict
	How     string // the broker stopped it
	Detail  string // the evidence, or why it was not tested
}

func stopped(how, detail string) Finding { return Finding{Stopped, how, detail} }

func through(detail string) Finding { return Finding{Through, "", detail} }

func notTested(why string) Finding { return Finding{NotTested, "", why} }

// rank orders findings of several devices: one that was let through counts before all that
// were not.
func (f Finding) rank() int {
	switch f.Verdict {
	case Through:
		return 0
	case Stopped:
		return 1
	}
	return 2
}

// Result is what all devices have found out by one behaviour.
type Result struct {
	Behaviour string   `json:"behaviour"`
	Verdict   Verdict  `json:"verdict"`
	Severity  Severity `json:"severity,omitempty"` // of what was let through
	How       string   `json:"how,omitempty"`      // it was stopped
	Detail    string   `json:"detail,omitempty"`   // the evidence, or why it was not tested
	Remedy    string   `json:"remedy,omitempty"`   // for what was let through
	Left      []string `json:"left,omitempty"`     // topics with a retained message of ours that could not be removed
}
