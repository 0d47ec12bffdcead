package scenario

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"pithings/conf"
)

// Scenario is a file, decoded and checked.
type Scenario struct {
	Name     string            `json:"name" required:"write what it is called" jsonschema:"what it is called, in the report"`
	About    string            `json:"about" jsonschema:"what it shows, in a sentence or two"`
	Devices  int               `json:"devices" default:"100" min:"1" max:"100000" jsonschema:"how many there are, unless -n says so"`
	Types    map[string]string `json:"types" jsonschema:"types of devices with their parts, such as generic: 90, telemetry: 10"`
	Interval conf.Duration     `json:"interval" default:"10s" min:"1ms" max:"24h" jsonschema:"time between two values of a device's telemetry, in phases without one of their own"`
	Ramp     conf.Rate         `json:"ramp" default:"100/s" jsonschema:"connections begun in a second, at most, in phases without one of their own: 1/h to 20000/s"`
	Phases   []Phase           `json:"phases" required:"write at least one" jsonschema:"what follows one another"`
	Faults   []Fault           `json:"faults" jsonschema:"what goes wrong, and when"`
}

// Phase is a part of the time.
type Phase struct {
	Name      string        `json:"name" required:"write what it is called" jsonschema:"what it is called: letters, digits, - and _"`
	For       conf.Duration `json:"for" min:"1s" max:"24h" jsonschema:"how long it lasts; the last phase may be without one, and lasts until Ctrl-C"`
	Connected Share         `json:"connected" default:"100%" jsonschema:"share of the devices that are there; the others stay away"`
	Ramp      conf.Rate     `json:"ramp" jsonschema:"connections begun in a second, at most"`
	Interval  conf.Duration `json:"interval" min:"1ms" max:"24h" jsonschema:"time between two values of a device's telemetry"`
}

// Fault is something that goes wrong with some of the devices.
type Fault struct {
	At      At            `json:"at" default:"0s" jsonschema:"when it begins: a time from the start, or from the beginning of a phase"`
	Do      Kind          `json:"do" required:"write what goes wrong" jsonschema:"what goes wrong"`
	For     conf.Duration `json:"for" min:"100ms" max:"24h" jsonschema:"how long; without it, to the end"`
	Share   Share         `json:"share" default:"100%" jsonschema:"share of the devices"`
	Devices int           `json:"devices" min:"1" max:"100000" jsonschema:"how many devices, instead of a share"`
	Group   string        `json:"group" jsonschema:"faults of one group hit the same devices, as far as they are as many"`
	Every   conf.Duration `json:"every" min:"1s" max:"1h" jsonschema:"break, reconnect, restart: again and again, so long after the last time"`
	Rate    conf.Rate     `json:"rate" jsonschema:"flood: messages of a device in a second, 1/s to 1000/s (20/s)"`
	Size    conf.Bytes    `json:"size" min:"1024" max:"204800" jsonschema:"oversize: bytes of a payload, 1 KiB to 200 KiB (129 KiB, which is more than AWS IoT Core takes)"`
}

// Limits of a file.
const (
	MaxPhases = 50
	MaxFaults = 100
	maxSteps  = 2000 // of all that is done again and again
	maxLength = 7 * 24 * time.Hour
	maxName   = 64 // bytes
	minRamp   = 1.0 / 3600
	maxRamp   = 20_000

	defaultFlood = 20              // messages in a second
	defaultSize  = 129 << 10       // bytes
	maxFlood     = 1000            // messages of a device in a second
	takeover     = 1 * time.Second // before a device connects again, as the engine has it
)

// Share is a part of the devices, from 0 to 1, written as 20%.
type Share float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Share) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil {
		return fmt.Errorf("%s is not a share; write 20%%, or 0.5%%", conf.Quote(string(text)))
	}
	if !(n >= 0 && n <= 100) {
		return fmt.Errorf("%s is out of range; a share is from 0%% to 100%%", conf.Quote(string(text)))
	}
	*s = Share(n / 100)
	return nil
}

// String returns 20%.
func (s Share) String() string {
	return strconv.FormatFloat(math.Round(float64(s)*1e8)/1e6, 'f', -1, 64) + "%"
}

// MarshalText implements encoding.TextMarshaler.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Schema implements conf.Schemer.
func (Share) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)? *%$`}
}

// Of returns how many of n devices that are. A share above 0 is at least one of them.
func (s Share) Of(n int) int {
	if s <= 0 || n == 0 {
		return 0
	}
	return min(max(int(math.Round(float64(s)*float64(n))), 1), n)
}

// At is when a fault begins: a time from the start, or from the beginning of a phase.
type At struct {
	Phase  string // "": from the start
	Offset time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *At) UnmarshalText(text []byte) error {
	phase, offset, plus := strings.Cut(string(text), "+")
	phase, offset = strings.TrimSpace(phase), strings.TrimSpace(offset)
	if !plus && (phase == "" || phase[0] >= '0' && phase[0] <= '9') {
		phase, offset = "", phase
	}
	var d conf.Duration
	if offset != "" || plus || phase == "" {
		if err := d.UnmarshalText([]byte(offset)); err != nil {
			return fmt.Errorf("%w; a time is 90s, or morning+30s, where morning is a phase", err)
		}
	}
	*a = At{phase, d.Duration}
	return nil
}

// String returns it as it is written.
func (a At) String() string {
	offset := conf.Duration{Duration: a.Offset}.String()
	switch {
	case a.Phase == "":
		return offset
	case a.Offset == 0:
		return a.Phase
	}
	return a.Phase + "+" + offset
}

// MarshalText implements encoding.TextMarshaler.
func (a At) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Schema implements conf.Schemer.
func (At) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Types: []string{"string", "integer"}}
}
