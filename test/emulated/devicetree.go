package emulated

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"pithings/hw"
)

// deviceTree edits a device tree file with fdtput.
type deviceTree struct {
	ctx  context.Context
	file string
	err  error // the first one
}

// copyDeviceTree copies a device tree to edit it.
func copyDeviceTree(ctx context.Context, from, to string) *deviceTree {
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o644)
	}
	return &deviceTree{ctx: ctx, file: to, err: err}
}

func (d *deviceTree) put(args ...string) {
	if d.err != nil {
		return
	}
	out, err := exec.CommandContext(d.ctx, "fdtput", args...).CombinedOutput()
	if err != nil {
		d.err = fmt.Errorf("fdtput %s: %w\n%s", strings.Join(args, " "), err, out)
	}
}

func (d *deviceTree) node(path string) { d.put("-p", "-c", d.file, path) }

func (d *deviceTree) numbers(node, property string, values ...uint32) {
	args := []string{"-t", "x", d.file, node, property}
	for _, v := range values {
		args = append(args, fmt.Sprintf("%x", v))
	}
	d.put(args...)
}

func (d *deviceTree) text(node, property string, values ...string) {
	d.put(append([]string{"-t", "s", d.file, node, property}, values...)...)
}

// framebuffer adds the node that the Pi's firmware adds for the screen it has
// set up (Documentation/devicetree/bindings/display/simple-framebuffer.yaml).
func (d *deviceTree) framebuffer(base uint32, g hw.Geometry, format string) {
	node := fmt.Sprintf("/chosen/framebuffer@%x", base)
	d.node(node)
	d.numbers("/chosen", "#address-cells", 1)
	d.numbers("/chosen", "#size-cells", 1)
	d.put(d.file, "/chosen", "ranges", "-t", "x")
	d.text(node, "compatible", "simple-framebuffer")
	d.numbers(node, "reg", base, uint32(g.Stride*g.Height))
	d.numbers(node, "width", uint32(g.Width))
	d.numbers(node, "height", uint32(g.Height))
	d.numbers(node, "stride", uint32(g.Stride))
	d.text(node, "format", format)
}
