package things

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// command is what a client wants of an output.
type command struct {
	State string `json:"state"`
	For   string `json:"for"`

	span time.Duration
}

// longestFor bounds how long a command may want something: longer is a mistake, or a matter
// for a flow, which outlives a restart.
const longestFor = 7 * 24 * time.Hour

// parseCommand reads a payload of "set".
func parseCommand(payload []byte) (c command, err error) {
	text := strings.TrimSpace(string(payload[:min(len(payload), maxPayload)]))
	if strings.HasPrefix(text, "{") {
		if err := decode(payload, &c); err != nil {
			return c, err
		}
	} else {
		c.State = text
	}
	return c, c.check()
}

// check brings a command into its usual form.
func (c *command) check() error {
	switch c.State = strings.ToLower(c.State); c.State {
	case outputOn, outputOff, outputToggle:
	default:
		return errors.New(`its state is none of on, off, toggle; write {"state":"on"} or ON`)
	}
	if c.For == "" {
		return nil
	}
	var err error
	if c.span, err = time.ParseDuration(c.For); err != nil || c.span <= 0 || c.span > longestFor {
		return fmt.Errorf(`its "for" is no time from 1ms to %v; write "5s" or "10m"`, longestFor)
	}
	return nil
}
