package probe

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"pithings/hw"
)

// Screen looks at a framebuffer.
func (p *Prober) Screen(part, device string) []Result {
	if s, ok := p.describeScreen(device); ok {
		if p.Machine.Open(device) == nil {
			return p.described(part, device, s)
		}
		// The board has the words for what is in the way.
	}
	fb, err := p.Board.OpenFramebuffer(device)
	if err != nil {
		return []Result{p.screenTrouble(part, device, err)}
	}
	defer fb.Close()
	return append([]Result{Found(part, "%s, %s", fb, fb.Geometry())}, p.console(part)...)
}

// screenEntry is what sysfs says about a framebuffer.
type screenEntry struct {
	name                        string
	width, height, stride, bits int
}

var screenMode = regexp.MustCompile(`^[A-Za-z]:(\d{1,5})x(\d{1,5})`)

// describeScreen reads sysfs, because opening a framebuffer takes the console
// away, and giving it back draws it anew over the picture shown.
func (p *Prober) describeScreen(device string) (s screenEntry, ok bool) {
	if p.Machine == nil {
		return s, false
	}
	dir := path.Join("/sys/class/graphics", path.Base(p.Files.Resolve(device)))
	attribute := func(name string) int {
		n, _ := strconv.Atoi(p.Files.Text(path.Join(dir, name)))
		return n
	}
	s = screenEntry{name: p.Files.Text(path.Join(dir, "name")), stride: attribute("stride"), bits: attribute("bits_per_pixel")}
	// The virtual size may be larger than what is seen.
	width, height, _ := strings.Cut(p.Files.Text(path.Join(dir, "virtual_size")), ",")
	if m := screenMode.FindStringSubmatch(p.Files.Text(path.Join(dir, "mode"))); m != nil {
		width, height = m[1], m[2]
	}
	s.width, _ = strconv.Atoi(width)
	s.height, _ = strconv.Atoi(height)
	return s, s.bits > 0 && s.width > 0 && s.height > 0
}

func (p *Prober) described(part, device string, s screenEntry) []Result {
	// sysfs has no places of the colours: these are the usual ones.
	g := hw.Geometry{Width: s.width, Height: s.height, Stride: s.stride, BitsPerPixel: s.bits,
		Red: hw.Bitfield{Offset: 16, Length: 8}, Green: hw.Bitfield{Offset: 8, Length: 8}, Blue: hw.Bitfield{Offset: 0, Length: 8}}
	if s.bits == 16 {
		g.Red, g.Green, g.Blue = hw.Bitfield{Offset: 11, Length: 5}, hw.Bitfield{Offset: 5, Length: 6}, hw.Bitfield{Offset: 0, Length: 5}
	}
	title := fmt.Sprintf("%s (%s)", device, s.name)
	if err := g.Validate(); err != nil {
		return []Result{Failure(part, fmt.Errorf("%s: %w", title, err), "choose another mode of the screen")}
	}
	return append([]Result{Found(part, "%s, %dx%d, %d bits per pixel", title, s.width, s.height, s.bits)}, p.console(part)...)
}

// screenTrouble adds what the machine knows about a screen that is not there.
func (p *Prober) screenTrouble(part, device string, err error) Result {
	r := Failure(part, err, "name a framebuffer as the thing's device in the configuration (ls /dev/fb*)")
	if !errors.Is(err, hw.ErrNotFound) {
		return r
	}
	var sockets []string
	for _, c := range p.Files.List("/sys/class/drm/card*-*") {
		_, name, _ := strings.Cut(path.Base(c), "-")
		if state := p.Files.Text(path.Join(c, "status")); state != "" && !strings.HasPrefix(name, "Writeback") {
			sockets = append(sockets, name+" is "+state)
		}
	}
	if len(sockets) > 0 {
		r.Problem += " (" + strings.Join(sockets[:min(len(sockets), 4)], ", ") + ")"
	}
	if others := p.Files.List("/dev/fb[0-9]*"); len(others) > 0 {
		r.Fix = "write device: " + strings.Join(others[:min(len(others), 4)], " or device: ")
	}
	return r
}

// serviceFiles are where the service's unit may set its terminal.
var serviceFiles = []string{
	"/etc/systemd/system/pithings.service", "/etc/systemd/system/pithings.service.d/*.conf",
	"/usr/lib/systemd/system/pithings.service", "/usr/lib/systemd/system/pithings.service.d/*.conf",
	"/lib/systemd/system/pithings.service", "/lib/systemd/system/pithings.service.d/*.conf",
}

var handsOver = regexp.MustCompile(`(?m)^[ \t]*TTYPath[ \t]*=[ \t]*/dev/tty\d`)

// console returns how to keep the text console off the pictures, if the kernel
// draws one and the service does not own it.
func (p *Prober) console(part string) []Result {
	drawn := false
	for _, c := range p.Files.List("/sys/class/vtconsole/vtcon*") {
		drawn = drawn || strings.Contains(p.Files.Text(path.Join(c, "name")), "frame buffer") && p.Files.Text(path.Join(c, "bind")) == "1"
	}
	if !drawn {
		return nil
	}
	for _, pattern := range serviceFiles {
		for _, file := range p.Files.List(pattern) {
			if handsOver.MatchString(p.Files.Text(file)) {
				return nil
			}
		}
	}
	return []Result{{Part: part, Status: Note,
		Found: "the kernel's text console is drawn on the screen too, and no service takes it over",
		Fix:   "copy screen.conf from /usr/share/doc/pithings/examples (or deploy/pithings.service.d of the source) to /etc/systemd/system/pithings.service.d/ when pithings runs as a service"}}
}
