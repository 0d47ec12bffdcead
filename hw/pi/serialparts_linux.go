package pi

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pithings/hw"
)

// serialParts lists the serial ports below a root folder: those with a device behind them.
// The kernel makes nodes for ports that a PC may have, whose type is 0 when it has not
// (Documentation/ABI/stable/sysfs-tty).
func serialParts(root string) (parts []hw.SerialPart) {
	class := filepath.Join(root, "sys/class/tty")
	entries, _ := os.ReadDir(class) // without the class there are no ports
	links := videoLinks(filepath.Join(root, "dev/serial/by-id"))
	consoles := strings.Fields(text(filepath.Join(class, "console/active")))
	for _, e := range entries {
		name, dir := e.Name(), filepath.Join(class, e.Name())
		driver, err := os.Readlink(filepath.Join(dir, "device/driver"))
		if err != nil || strings.TrimSpace(text(filepath.Join(dir, "type"))) == "0" {
			continue
		}
		node := filepath.Join(root, "dev", name)
		if _, err := os.Stat(node); err != nil {
			continue
		}
		parts = append(parts, hw.SerialPart{Node: node, Open: cmp.Or(links[node], node),
			Title: node + " (" + filepath.Base(driver) + ")", Console: slices.Contains(consoles, name)})
	}
	return parts
}

// text returns what is in a small file of the kernel's, "" when it cannot be read.
func text(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(b)
}
