package host

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"net/netip"
	"slices"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// radio is the strength of the signal of each wireless interface.
func radio(f *sysfs.Files) (group, bool) {
	const file = "proc/net/wireless"
	text, err := f.Text(file)
	if err != nil {
		return group{}, false
	}
	levels, err := parseWireless(text)
	if err != nil || len(levels) == 0 {
		return group{}, false
	}
	g := group{file: file}
	var names []string
	for _, l := range levels {
		name := "signal_strength"
		if len(levels) > 1 {
			name += "_" + sysfs.Name(l.name)
		}
		names = append(names, l.name)
		g.quantities = append(g.quantities, device.Quantity{Name: name, Unit: "dBm", Class: "signal_strength", Min: -120, Max: 0})
	}
	g.read = func(f *sysfs.Files, v []float64) error {
		text, err := f.Text(file)
		if err != nil {
			return err
		}
		levels, err := parseWireless(text)
		for _, l := range levels {
			if i := slices.Index(names, l.name); i >= 0 {
				v[i] = l.dBm
			}
		}
		return err
	}
	return g, true
}

// level is the strength of one interface's signal; NaN if it is not connected.
type level struct {
	name string
	dBm  float64
}

// parseWireless reads proc/net/wireless (net/wireless/wext-proc.c): two lines of
// headings, then "wlan0: 0000   55.  -55.  -256 …", status, link and level. A
// level that is not below 0 is not in dBm: of an interface that is not connected,
// or of an old driver with a unit of its own.
func parseWireless(text []byte) ([]level, error) {
	var list []level
	line := 0
	for row := range bytes.Lines(text) {
		if line++; line <= 2 || len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		name, rest, found := bytes.Cut(row, []byte(":"))
		words := bytes.Fields(rest)
		if !found || len(words) < 3 {
			return nil, unexpected(row)
		}
		// The point behind the number marks a value that is new.
		v, err := sysfs.Number(bytes.TrimSuffix(words[2], []byte(".")))
		if err != nil {
			return nil, unexpected(row)
		}
		if v >= 0 || v <= -256 {
			v = math.NaN()
		}
		list = append(list, level{string(bytes.TrimSpace(name)), v})
	}
	return list, nil
}

// Addresses returns the computer's own addresses in its networks, the IPv4 ones
// first, without those that are for itself only. They are read from files, as the
// service may not open the socket that net.Interfaces needs.
func (d *Device) Addresses(ctx context.Context) ([]netip.Addr, error) {
	return sysfs.Do(ctx, d.reader, func(j *sysfs.Job) ([]netip.Addr, error) {
		var all []netip.Addr
		for _, source := range []struct {
			file  string
			parse func([]byte) ([]netip.Addr, error)
		}{{"proc/net/fib_trie", parseTrie}, {"proc/net/if_inet6", parseInet6}} {
			if !j.Next(source.file) {
				return nil, context.Canceled
			}
			text, err := j.Text(source.file)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without that protocol
			}
			if err != nil {
				return all, err
			}
			list, err := source.parse(text)
			if err != nil {
				return all, err
			}
			all = append(all, list...)
		}
		return all, nil
	})
}

// parseTrie reads the addresses of this host out of the IPv4 routing tables
// (net/ipv4/fib_trie.c), which list each twice:
//
//	|-- 192.168.1.20
//	   /32 host LOCAL
func parseTrie(text []byte) ([]netip.Addr, error) {
	var list []netip.Addr
	var last netip.Addr
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if address, ok := bytes.CutPrefix(line, []byte("|-- ")); ok {
			a, err := netip.ParseAddr(string(address))
			if err != nil || !a.Is4() {
				return list, unexpected(line)
			}
			last = a
			continue
		}
		if string(line) == "/32 host LOCAL" && last.IsValid() && !last.IsLoopback() && !slices.Contains(list, last) {
			list = append(list, last)
		}
	}
	return list, nil
}

// parseInet6 reads proc/net/if_inet6 (net/ipv6/addrconf.c): "fe80…01 02 40 20 80
// wlan0", the address, the interface's number, the prefix's length, scope and
// flags. The scope of a global address is 00, of a local one of the link 20, of
// the host 10.
func parseInet6(text []byte) ([]netip.Addr, error) {
	var list []netip.Addr
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		if len(words) == 0 {
			continue
		}
		var raw [16]byte
		if len(words) < 6 || len(words[0]) != 2*len(raw) {
			return list, unexpected(line)
		}
		if _, err := hex.Decode(raw[:], words[0]); err != nil {
			return list, unexpected(line)
		}
		if a := netip.AddrFrom16(raw); !a.IsLoopback() {
			list = append(list, a)
		}
	}
	return list, nil
}
