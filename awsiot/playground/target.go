package playground

import (
	"context"
	"net/http"
	"time"
)

// Target is what is configured: a device, or many.
type Target interface {
	// Title is the device's name, or what it is called that they are many.
	Title() string
	// Config changes what is given. Nothing is changed if there is an error.
	Config(ctx context.Context, c *Config) error
	// Act does one of Actions.
	Act(ctx context.Context, action string) error
	// Press presses the switch.
	Press(ctx context.Context, on bool) error
	// Read returns what is to be seen, for json.Marshal.
	Read(ctx context.Context, what View) (any, error)
}

// Linker is a target with targets of their own below it.
type Linker interface {
	// Links returns their paths, such as /devices/dev-0001/: some, if there are many.
	Links() []string
}

// Formed is a target whose forms have a field of which those who let requests in know.
type Formed interface {
	// Field returns its name and value; "" for none.
	Field(r *http.Request) (name, value string)
}

// View is what can be read of a target.
type View string

// The views.
const (
	Home     View = "" // what it is and does
	Name     View = "name"
	Endpoint View = "endpoint" // the broker
	Cert     View = "cert"     // the certificate, never its key
	Shadow   View = "shadow"
	Log      View = "log"
)

// The actions.
const (
	Tamper    = "tamper"
	Reconnect = "reconnect"
	Clean     = "clean"
	Large     = "large"
	AuthError = "autherr"
)

// What the playground's devices publish to.
const (
	Telemetry    = "dt/ac/company1/area1/{}/temp" // a template
	InvalidTopic = "invalid-topic-for-error"      // of AuthError
)

// Actions returns the names of all actions.
func Actions() []string { return []string{Tamper, Reconnect, Clean, Large, AuthError} }

// Config is what is changed while a device runs.
type Config struct {
	Time      time.Duration  // between two values of telemetry; 0: as before
	Defender  *time.Duration // between two reports; 0: none; nil: as before
	Topic     string         // a template of telemetry's topic, {} is the device's name; "": as before
	Payload   []byte         // of telemetry; nil: as before
	Clean     *bool          // whether it says goodbye before it connects anew; nil: as before
	Reconnect bool           // it connects anew, behind all of the above
}

// Empty reports whether nothing is given.
func (c *Config) Empty() bool {
	return c.Time == 0 && c.Defender == nil && c.Topic == "" && c.Payload == nil && c.Clean == nil && !c.Reconnect
}
