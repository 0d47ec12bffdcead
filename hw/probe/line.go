package probe

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// Line looks at an input line: it is requested as an input, read, and given back.
func (p *Prober) Line(part, pin string) []Result {
	line, err := p.Board.OpenPin(pin)
	if err != nil {
		return []Result{p.lineTrouble(part, pin, err)}
	}
	defer line.Halt()
	if err := line.In(gpio.PullNoChange, gpio.NoEdge); err != nil {
		return []Result{p.lineTrouble(part, pin, err)}
	}
	where := line.Name()
	if chip, name, ok := strings.Cut(where, ":"); ok {
		where = name + " on " + chip
	}
	return []Result{Found(part, "%s, now %s", where, strings.ToLower(line.Read().String()))}
}

// Output looks at an output line. It is not requested: that would switch what is on it.
func (p *Prober) Output(part, pin string) []Result {
	chip, l, err := p.Board.Line(pin)
	if err != nil {
		return []Result{p.lineTrouble(part, pin, err)}
	}
	if l.Used {
		holder := "the kernel holds it"
		if l.Consumer != "" {
			holder = fmt.Sprintf("%q holds it; stop that program, or free the pin in the device tree", l.Consumer)
		}
		return []Result{p.lineTrouble(part, pin, fmt.Errorf("GPIO line %q: %w: %s", pin, hw.ErrBusy, holder))}
	}
	return []Result{Found(part, "%s on %s, free", cmp.Or(l.Open, pin), chip.Label)}
}

// ownLine is how an agent signs the lines that it requested.
var ownLine = regexp.MustCompile(`"` + own + `@(\d+)" holds it`)

func (p *Prober) lineTrouble(part, pin string, err error) Result {
	if m := ownLine.FindStringSubmatch(err.Error()); m != nil && errors.Is(err, hw.ErrBusy) {
		return Found(part, "%s is in use by the pithings that runs now (process %s)", pin, m[1])
	}
	return Failure(part, err, p.lineFix(err))
}

// lineFix is for the errors that only list what there is.
func (p *Prober) lineFix(err error) string {
	switch {
	case errors.Is(err, hw.ErrBusy):
		return "wire the sensor to another line, or take the overlay that uses this one out of /boot/firmware/config.txt"
	case !errors.Is(err, hw.ErrNotFound):
		return ""
	case len(p.Files.List("/dev/gpiochip*")) > 0:
		return "write one of these names as the thing's pin in the configuration"
	case p.IsPi():
		return "let the GPIO devices into the container or service (DeviceAllow=char-gpiochip rw), or update the kernel (5.10 at least)"
	}
	return "use a board with a GPIO header; pin: mock simulates a line"
}
