package doctor

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// motion checks the line of a motion sensor.
func (e *examination) motion(part, pin string) check {
	return check{part, func(_ context.Context, part string) []Result {
		p, err := e.Board.OpenPin(pin)
		if err != nil {
			return []Result{e.lineTrouble(part, pin, err)}
		}
		defer p.Halt()
		if err := p.In(gpio.PullNoChange, gpio.NoEdge); err != nil {
			return []Result{e.lineTrouble(part, pin, err)}
		}
		where := p.Name()
		if chip, name, ok := strings.Cut(where, ":"); ok {
			where = name + " on " + chip
		}
		return []Result{found(part, "%s, now %s", where, strings.ToLower(p.Read().String()))}
	}}
}

// ownLine is how an agent signs the lines that it requested.
var ownLine = regexp.MustCompile(`"` + own + `@(\d+)" holds it`)

func (e *examination) lineTrouble(part, pin string, err error) Result {
	if m := ownLine.FindStringSubmatch(err.Error()); m != nil && errors.Is(err, hw.ErrBusy) {
		return found(part, "%s is in use by the pithings that runs now (process %s)", pin, m[1])
	}
	return failure(part, err, e.lineFix(err))
}

// lineFix is for the errors that only list what there is.
func (e *examination) lineFix(err error) string {
	switch {
	case errors.Is(err, hw.ErrBusy):
		return "wire the sensor to another line, or take the overlay that uses this one out of /boot/firmware/config.txt"
	case !errors.Is(err, hw.ErrNotFound):
		return ""
	case len(e.root.list("/dev/gpiochip*")) > 0:
		return "write one of these names as the thing's pin in the configuration"
	case e.isPi():
		return "let the GPIO devices into the container or service (DeviceAllow=char-gpiochip rw), or update the kernel (5.10 at least)"
	}
	return "use a board with a GPIO header; pin: mock simulates a line"
}
