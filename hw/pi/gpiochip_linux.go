package pi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	gpioLineActiveLow     = 1 << 1
	gpioLineInput         = 1 << 2
	gpioLineOutput        = 1 << 3
	gpioLineEdgeRising    = 1 << 4
	gpioLineEdgeFalling   = 1 << 5
	gpioLineBiasPullUp    = 1 << 8
	gpioLineBiasPullDown  = 1 << 9
	gpioLineBiasDisabled  = 1 << 10
	gpioAttrOutputValues  = 2
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
	gpioLineSetValues = ioc(iocRead|iocWrite, gpioMagic, 0x0f, unsafe.Sizeof(gpioLineValues{}))
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
	used           bool // requested by a program, or taken by the kernel
	output         bool
}

// deniedChip is a chip that this user may not open.
type deniedChip struct {
	node string
	err  error
}

// scanGPIO lists the chips.
func scanGPIO() (chips []gpioChip, denied []deniedChip) {
	nodes, _ := filepath.Glob(gpioDeviceNodePattern) // fails for a bad pattern only
	for _, node := range nodes {
		chip, err := readGPIOChip(node)
		switch {
		case errors.Is(err, fs.ErrPermission):
			denied = append(denied, deniedChip{node, permissionError(node, err)})
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
			output:   line.flags&gpioLineOutput != 0,
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

// A place is a line on its chip.
type place struct {
	chip gpioChip
	line gpioLine
}

// findLine chooses the line that want names: "NAME" or "LABEL:NAME". A plain name
// that several chips have means the one on the Pi's header.
func findLine(chips []gpioChip, want string) (gpioChip, gpioLine, error) {
	var found []place
	for _, c := range chips {
		found = append(found, c.find(want)...)
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

// someLine finds the line that want names now.
func someLine(want string) (chips []gpioChip, chip gpioChip, l gpioLine, err error) {
	chips, denied := scanGPIO()
	chip, l, err = findLine(chips, want)
	if err != nil && len(denied) > 0 { // it may be on one of the chips that cannot be read
		err = fmt.Errorf("%s: %w", lineTitle(want), denied[0].err)
	}
	return chips, chip, l, err
}

// freeLine finds the line that want names, and makes sure that it is not in use.
// name opens this very line again.
func freeLine(want string) (chip gpioChip, l gpioLine, name string, err error) {
	_, chip, l, err = someLine(want)
	if err != nil {
		return gpioChip{}, gpioLine{}, "", err
	}
	name = chip.label + ":" + l.name
	if l.used {
		return gpioChip{}, gpioLine{}, "", because(hw.ErrBusy, nil, lineTitle(name), "%s", l.describe())
	}
	return chip, l, name, nil
}

// find returns the lines of a chip that want names.
//
// The device trees of kernel.org name a Pi's lines after the schematic: GPIO4 is
// GPIO_GCLK there, GPIO2 is SDA1, GPIO14 is TXD1 (bcm2711-rpi-4-b.dts). Raspberry Pi's
// own kernel has GPIO4. On the chips of the header the offset is that number, so
// GPIOn is line n there when no line has that name.
func (c gpioChip) find(want string) (found []place) {
	for _, l := range c.lines {
		if l.name != "" && (want == l.name || want == c.label+":"+l.name) {
			found = append(found, place{c, l})
		}
	}
	if len(found) > 0 || !slices.Contains(headerLabels, c.label) {
		return found
	}
	bare := strings.TrimPrefix(want, c.label+":")
	digits, ok := strings.CutPrefix(bare, "GPIO")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n >= len(c.lines) || digits != strconv.Itoa(n) {
		return nil
	}
	l := c.lines[n]
	if !l.named() || c.count(l.name) > 1 {
		l.name = bare // one that opens this line again
	}
	return []place{{c, l}}
}

func (c gpioChip) count(name string) (n int) {
	for _, l := range c.lines {
		if l.name == name {
			n++
		}
	}
	return n
}

// named reports whether the line has a name: "-" and "NC" stand for none in device trees.
func (l gpioLine) named() bool { return l.name != "" && l.name != "-" && l.name != "NC" }

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
			if l.named() {
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
	return text + headerLine(chips, bare)
}

// headerLine is how to write the header's line of a number: "BCM4" and "4" are not taken, and no name of the
// schematic looks like them.
func headerLine(chips []gpioChip, bare string) string {
	digits := bare[len(strings.TrimRight(bare, "0123456789")):]
	for _, label := range headerLabels {
		for _, c := range chips {
			if c.label != label {
				continue
			}
			if lines := c.find("GPIO" + digits); len(lines) == 1 && lines[0].line.name != "GPIO"+digits {
				return fmt.Sprintf("; write GPIO%s for %s:%s", digits, label, lines[0].line.name)
			}
		}
	}
	return ""
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
