package pi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// periph lists the GPIO chips once per process. Chips come and go (a USB
// bridge, a driver that is bound late), line names are not unique, and who holds
// a line changes, so this file looks at the chips anew each time. The structures
// are those of linux/gpio.h, ABI version 2 (Linux 5.10).

const gpioNameSize = 32

type gpioChipInfo struct {
	name, label [gpioNameSize]byte
	lines       uint32
}

type gpioLineInfo struct {
	name, consumer   [gpioNameSize]byte
	offset, numAttrs uint32
	flags            uint64
	attrs            [10]gpioLineAttribute
	_                [4]uint32
}

type gpioLineAttribute struct {
	id, _ uint32
	value uint64
}

type gpioLineConfig struct {
	flags    uint64
	numAttrs uint32
	_        [5]uint32
	attrs    [10]struct {
		attr gpioLineAttribute
		mask uint64
	}
}

type gpioLineRequest struct {
	offsets         [64]uint32
	consumer        [gpioNameSize]byte
	config          gpioLineConfig
	numLines        uint32
	eventBufferSize uint32
	_               [5]uint32
	fd              int32
}

type gpioLineValues struct{ bits, mask uint64 }

const gpioEventSize = 48 // struct gpio_v2_line_event

const (
	gpioLineUsed          = 1 << 0
	gpioLineInput         = 1 << 2
	gpioLineEdgeRising    = 1 << 4
	gpioLineEdgeFalling   = 1 << 5
	gpioLineBiasPullUp    = 1 << 8
	gpioLineBiasPullDown  = 1 << 9
	gpioLineBiasDisabled  = 1 << 10
	gpioMagic             = 0xb4
	maxGPIOLines          = 4096 // per chip; the largest known have a few hundred
	gpioMissing           = "this machine has no GPIO chip (/dev/gpiochip*)"
	gpioDeviceNodePattern = "/dev/gpiochip*"
)

var (
	gpioGetChipInfo   = ioc(iocRead, gpioMagic, 0x01, unsafe.Sizeof(gpioChipInfo{}))
	gpioGetLineInfo   = ioc(iocRead|iocWrite, gpioMagic, 0x05, unsafe.Sizeof(gpioLineInfo{}))
	gpioGetLine       = ioc(iocRead|iocWrite, gpioMagic, 0x07, unsafe.Sizeof(gpioLineRequest{}))
	gpioLineSetConfig = ioc(iocRead|iocWrite, gpioMagic, 0x0d, unsafe.Sizeof(gpioLineConfig{}))
	gpioLineGetValues = ioc(iocRead|iocWrite, gpioMagic, 0x0e, unsafe.Sizeof(gpioLineValues{}))
)

// gpioChip is a GPIO chip as the kernel lists it now.
type gpioChip struct {
	node, name, label string // "/dev/gpiochip0", "gpiochip0", "pinctrl-bcm2835"
	lines             []gpioLine
}

// gpioLine is one line of a chip.
type gpioLine struct {
	offset         int
	name, consumer string
	used           bool // requested by someone, or taken by the kernel
}

// scanGPIO lists the chips. denied holds the errors of those that this user may
// not open.
func scanGPIO() (chips []gpioChip, denied []error) {
	nodes, err := filepath.Glob(gpioDeviceNodePattern)
	if err != nil {
		return nil, []error{err}
	}
	for _, node := range nodes {
		chip, err := readGPIOChip(node)
		switch {
		case errors.Is(err, fs.ErrPermission):
			denied = append(denied, permissionError(node, err))
		case err != nil: // vanished, or no GPIO chip
		case slices.ContainsFunc(chips, func(c gpioChip) bool { return c.name == chip.name }):
			// A link to a chip that is listed already: the Pi has one.
		default:
			chips = append(chips, chip)
		}
	}
	return chips, denied
}

func readGPIOChip(node string) (gpioChip, error) {
	f, err := os.OpenFile(node, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return gpioChip{}, err
	}
	defer f.Close()
	var info gpioChipInfo
	fd := int(f.Fd())
	if err := ioctl(fd, gpioGetChipInfo, unsafe.Pointer(&info)); err != nil {
		return gpioChip{}, fmt.Errorf("%s: read chip: %w", node, err)
	}
	chip := gpioChip{node: node, name: cString(info.name[:]), label: cString(info.label[:])}
	if chip.label == "" {
		chip.label = chip.name
	}
	for offset := range min(info.lines, maxGPIOLines) {
		line := gpioLineInfo{offset: offset}
		if err := ioctl(fd, gpioGetLineInfo, unsafe.Pointer(&line)); err != nil {
			return gpioChip{}, fmt.Errorf("%s: read line %d: %w", node, offset, err)
		}
		chip.lines = append(chip.lines, gpioLine{
			offset:   int(offset),
			name:     cString(line.name[:]),
			consumer: cString(line.consumer[:]),
			used:     line.flags&gpioLineUsed != 0,
		})
	}
	return chip, nil
}

// cString is the text before the first NUL.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// headerLabels are the labels of the chips that drive a Pi's 40 pin header, in
// the order of preference: Pi 5, Pi 4, older ones.
var headerLabels = []string{"pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"}

// findLine chooses the line that want names: "NAME" or "LABEL:NAME". A plain name
// that several chips have means the one on the Pi's header.
func findLine(chips []gpioChip, want string) (gpioChip, gpioLine, error) {
	type place struct {
		chip gpioChip
		line gpioLine
	}
	var found []place
	for _, c := range chips {
		for _, l := range c.lines {
			if l.name != "" && (want == l.name || want == c.label+":"+l.name) {
				found = append(found, place{c, l})
			}
		}
	}
	if len(found) > 1 {
		for _, label := range headerLabels {
			if i := slices.IndexFunc(found, func(p place) bool { return p.chip.label == label }); i >= 0 {
				return found[i].chip, found[i].line, nil
			}
		}
		var names []string
		for _, p := range found {
			names = append(names, fmt.Sprintf("%s:%s (%s)", p.chip.label, p.line.name, p.chip.name))
		}
		return gpioChip{}, gpioLine{}, because(hw.ErrNotFound, nil, lineTitle(want),
			"there are several: %s; write the one meant as LABEL:NAME", strings.Join(names, ", "))
	}
	if len(found) == 1 {
		return found[0].chip, found[0].line, nil
	}
	return gpioChip{}, gpioLine{}, because(hw.ErrNotFound, nil, lineTitle(want), "%s", nearLines(chips, want))
}

// maxName bounds how much of a name from the configuration an error repeats.
const maxName = 200

func lineTitle(want string) string {
	if len(want) > maxName {
		want = want[:maxName] + "…"
	}
	return fmt.Sprintf("GPIO line %q", want)
}

// nearLines lists the names most like want, to correct a slip by.
func nearLines(chips []gpioChip, want string) string {
	_, bare, labelled := strings.Cut(want, ":")
	if !labelled {
		bare = want
	}
	var names []string
	for _, c := range chips {
		for _, l := range c.lines {
			if l.name != "" && l.name != "-" {
				names = append(names, c.label+":"+l.name)
			}
		}
	}
	if len(chips) == 0 {
		return gpioMissing
	}
	if len(names) == 0 {
		return "none of this machine's GPIO lines has a name"
	}
	near := func(full string) int {
		_, name, _ := strings.Cut(full, ":")
		return distance(strings.ToLower(bare), strings.ToLower(name))
	}
	slices.SortStableFunc(names, func(a, b string) int { return near(a) - near(b) })
	text := "this machine has " + strings.Join(names[:min(len(names), 6)], ", ")
	if len(names) > 6 {
		text += fmt.Sprintf(" and %d more (gpioinfo lists them)", len(names)-6)
	}
	return text
}

// distance is the number of characters to change, add or take away to make b of
// a. Only the first characters of long names count.
func distance(a, b string) int {
	a, b = a[:min(len(a), gpioNameSize)], b[:min(len(b), gpioNameSize)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
