package probe

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

// Bus looks for a chip on an I²C bus. find opens it with its driver and returns its
// name. It is given a bus on which only the reads take place, so that the driver does
// not reset the chip: an agent may be measuring with it.
func (p *Prober) Bus(part, bus string, find func(i2c.Bus) (chip string, err error)) []Result {
	b, err := p.Board.OpenBus(bus)
	if err != nil {
		return []Result{p.busTrouble(part, bus, err)}
	}
	defer b.Close()
	look := &readOnly{Bus: b}
	chip, err := find(look)
	if err != nil {
		return []Result{chipTrouble(part, look, err)}
	}
	return []Result{Found(part, "%s at %#02x on %s", chip, look.address, b)}
}

// readOnly is a bus on which only the reads take place.
type readOnly struct {
	i2c.Bus
	address  uint16 // of the last transfer
	fix      string // what the bus said about its last failure
	answered bool   // a chip did, at any address
}

// Tx makes transfers that read. The address of a register is written, and nothing
// more.
func (b *readOnly) Tx(addr uint16, w, r []byte) error {
	b.address = addr
	if len(r) == 0 {
		return nil
	}
	if len(w) > 1 {
		return fmt.Errorf("%d bytes are not written: this bus is only read", len(w))
	}
	err := b.Bus.Tx(addr, w, r)
	if err == nil {
		b.answered = true
		return nil
	}
	_, b.fix = Advice(err.Error())
	cause, _ := Advice(strings.TrimPrefix(leaf(err).Error(), "sysfs-i2c: ")) // periph's
	return &shortError{cause, err}
}

// shortError is an error in fewer words: the driver's error names the bus and the
// address.
type shortError struct {
	text  string
	cause error
}

func (e *shortError) Error() string { return e.text }
func (e *shortError) Unwrap() error { return e.cause }

// leaf is the first cause of an error.
func leaf(err error) error {
	for {
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			if u.Unwrap() == nil {
				return err
			}
			err = u.Unwrap()
		case interface{ Unwrap() []error }:
			// The causes come after the kind in hw's errors.
			list := u.Unwrap()
			err = list[len(list)-1]
		default:
			return err
		}
	}
}

// driverName is what a driver's error begins with.
var driverName = regexp.MustCompile(`^[a-z0-9]+: `)

// chipTrouble is the result of a bus without the right chip.
func chipTrouble(part string, bus *readOnly, err error) Result {
	r := Failure(part, err, bus.fix)
	r.Problem = r.Problem[len(driverName.FindString(r.Problem)):]
	// A bus that hangs is no question of the address. USB adapters report a time-out
	// for an address without a chip, too: so it hangs for all, or not at all.
	if strings.Contains(r.Problem, "timed out") && bus.fix != "" && !bus.answered {
		r.Fix = bus.fix
	}
	return r
}

// busNumber is how a bus is named that has a number.
var busNumber = regexp.MustCompile(`^(?:/dev/)?(?:i2c-)?(\d{1,4})$`)

// configFiles are where the firmware reads its settings, new and old.
var configFiles = []string{"/boot/firmware/config.txt", "/boot/config.txt"}

// busTrouble adds what the machine knows about a bus that is not there.
func (p *Prober) busTrouble(part, name string, err error) Result {
	if !errors.Is(err, hw.ErrNotFound) {
		return Failure(part, err, "wire the sensor to another bus, and name that in the configuration")
	}
	r := Failure(part, err, "write the number of one of these as the thing's bus in the configuration")
	m := busNumber.FindStringSubmatch(name)
	if p.Machine == nil {
		return r
	}
	if m == nil {
		if !p.IsPi() && len(p.Files.List("/sys/class/i2c-dev/i2c-*")) == 0 {
			r.Fix = "plug the adapter of that name in; `ls /dev/i2c-*` should then show it"
		}
		return r
	}
	if p.Files.Exists("/sys/class/i2c-dev/i2c-" + m[1]) {
		r.Problem = fmt.Sprintf("the kernel has I²C bus %s, but /dev/i2c-%[1]s is not to be seen here", m[1])
		r.Fix = fmt.Sprintf("let it into the container (docker run --device /dev/i2c-%s) or service (PrivateDevices=no)", m[1])
		return r
	}
	if p.Files.Exists("/sys/bus/i2c/devices/i2c-" + m[1]) {
		r.Problem = fmt.Sprintf("I²C bus %s has no device node: the module i2c-dev is not loaded", m[1])
		r.Fix = "sudo modprobe i2c-dev && echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf"
		return r
	}
	for _, file := range configFiles {
		if m[1] == "1" && i2cOn.MatchString(p.Files.Text(file)) {
			r.Problem = fmt.Sprintf("no I²C bus 1, though %s switches it on: the board has not been restarted since", file)
			r.Fix = "sudo reboot"
			return r
		}
	}
	var others []string
	for _, a := range p.Files.List("/sys/class/i2c-dev/i2c-*") {
		others = append(others, fmt.Sprintf("%d (%s)", Number(a), p.Files.Text(path.Join(a, "name"))))
	}
	switch {
	case m[1] == "1" && p.IsPi():
		r.Problem = "no I²C bus 1: I²C is switched off" // on the header, whose bus this is
	case len(others) == 0 && !p.IsPi():
		r.Fix = "use a board with an I²C header; bus: mock simulates a bus with a sensor"
	}
	if len(others) > 0 {
		if m[1] != "1" {
			r.Fix = "write the number of one of these as the thing's bus in the configuration"
		}
		r.Problem += ", the other buses are " + strings.Join(others[:min(len(others), 8)], ", ")
	}
	return r
}

// i2cOn is the line of config.txt that switches the header's bus on.
var i2cOn = regexp.MustCompile(`(?m)^[ \t]*dtparam=(?:[^#\n]*,)?(?:i2c|i2c_arm|i2c1)=on\b`)
