package pi

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// Parts implements [hw.Board]. Buses and cameras are looked at side by side, so that
// one that hangs holds up itself only.
func (b *Board) Parts(ctx context.Context) hw.Parts {
	var p hw.Parts
	var group sync.WaitGroup
	group.Go(func() { p.GPIO = b.gpioParts() })
	group.Go(func() { p.I2C = each(adapters("/sys"), func(n int) hw.I2CBus { return b.busPart(ctx, n) }) })
	group.Go(func() {
		links := videoLinks("/dev/v4l/by-id")
		p.Video = each(nodes("/dev/video"), func(node string) hw.VideoPart { return b.videoPart(ctx, node, links[node]) })
	})
	group.Go(func() { p.Serial = serialParts("/") })
	group.Go(func() { p.Framebuffers = each(nodes("/dev/fb"), framebufferPart) })
	group.Wait()
	return p
}

// each looks at all parts at once.
func each[Name, Part any](names []Name, look func(Name) Part) []Part {
	parts := make([]Part, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { parts[i] = look(name) })
	}
	group.Wait()
	return parts
}

// nodes lists the device nodes of a class that has numbers, by their numbers.
func nodes(prefix string) []string {
	files, _ := filepath.Glob(prefix + "[0-9]*") // fails for a bad pattern only
	number := func(file string) int {
		n, err := strconv.Atoi(file[len(prefix):])
		if err != nil {
			return -1
		}
		return n
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		info, err := os.Stat(file)
		return number(file) < 0 || err != nil || info.Mode()&fs.ModeCharDevice == 0
	})
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return files
}

// Line implements [hw.Board].
func (b *Board) Line(name string) (hw.GPIOChip, hw.GPIOLine, error) {
	chips, chip, l, err := someLine(name)
	if err != nil {
		return hw.GPIOChip{}, hw.GPIOLine{}, err
	}
	return hw.GPIOChip{Node: chip.node, Label: chip.label}, lineParts(b.model, chips, chip)[l.offset], nil
}

func (b *Board) gpioParts() []hw.GPIOChip {
	chips, denied := scanGPIO()
	var parts []hw.GPIOChip
	for _, c := range chips {
		parts = append(parts, hw.GPIOChip{Node: c.node, Label: c.label, Lines: lineParts(b.model, chips, c)})
	}
	for _, d := range denied {
		parts = append(parts, hw.GPIOChip{Node: d.node, Err: d.err})
	}
	return parts
}

// lineParts describes the lines of c, one of the chips of the model.
func lineParts(model string, chips []gpioChip, c gpioChip) []hw.GPIOLine {
	pins := 0
	if slices.Contains(headerLabels, c.label) {
		pins = headerPins(model)
	}
	lines := make([]hw.GPIOLine, len(c.lines))
	for i, l := range c.lines {
		p := hw.GPIOLine{Offset: l.offset, Used: l.used, Consumer: l.consumer, Output: l.output}
		if l.named() {
			p.Name = l.name
		}
		if pin := hw.HeaderPin(l.offset); pin <= pins {
			p.Pin = pin
		}
		p.Open = shortestName(chips, c, l, p.Pin > 0)
		lines[i] = p
	}
	return lines
}

// shortestName returns what opens the line l of c, or "".
func shortestName(chips []gpioChip, c gpioChip, l gpioLine, onHeader bool) string {
	var names []string
	if onHeader {
		names = append(names, fmt.Sprintf("GPIO%d", l.offset))
	}
	if l.named() {
		names = append(names, l.name, c.label+":"+l.name)
	}
	for _, name := range names {
		if chip, found, err := findLine(chips, name); err == nil && chip.name == c.name && found.offset == l.offset {
			return name
		}
	}
	return ""
}

// headerPins returns how many pins of the 40-pin header a model has. The first
// boards had the first 26 of them, but for revision 1 of the Model B, which had three
// other lines among them. Compute Modules before the 4 are on boards of all kinds.
func headerPins(model string) int {
	name, isPi := strings.CutPrefix(model, "Raspberry Pi ")
	early := strings.HasPrefix(name, "Model ") && !strings.Contains(name, "Plus")
	module, isModule := strings.CutPrefix(name, "Compute Module ")
	switch {
	case !isPi, strings.HasPrefix(name, "Model B Rev 1"):
		return 0
	case isModule && !strings.HasPrefix(module, "4") && !strings.HasPrefix(module, "5"):
		return 0
	case early:
		return 26
	}
	return 40
}

// videoLinks returns, for each node that has one, the link in dir that stays the same.
func videoLinks(dir string) map[string]string {
	links := map[string]string{}
	files, _ := filepath.Glob(dir + "/*")
	for _, link := range files {
		if node, err := filepath.EvalSymlinks(link); err == nil && links[node] == "" {
			links[node] = link
		}
	}
	return links
}

func (b *Board) videoPart(ctx context.Context, node, link string) hw.VideoPart {
	p := hw.VideoPart{Node: node, Open: cmp.Or(link, node), Title: node}
	if ctx.Err() != nil {
		p.Err = fmt.Errorf("%s: not looked at: %w", node, context.Cause(ctx))
		return p
	}
	v, err := b.OpenVideo(node)
	if err != nil {
		p.Err = err
		return p
	}
	defer v.Close()
	p.Title = v.String()
	p.Formats, p.Err = v.Formats()
	return p
}

// framebufferPart reads a screen's mode, and leaves its picture and the console alone.
func framebufferPart(node string) hw.FramebufferPart {
	p := hw.FramebufferPart{Node: node, Title: node}
	f, err := os.OpenFile(node, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		p.Err = openError(node, err, fbMissing)
		return p
	}
	defer f.Close()
	s := screen{node: node, f: f}
	p.Err = s.look()
	p.Title, p.Geometry = cmp.Or(s.title, node), s.geometry
	return p
}
