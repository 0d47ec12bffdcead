package api

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// OwnNames are the names by which this machine knows itself, in lower case: of the host, short, and
// with .local.
func OwnNames() []string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return nil
	}
	short, _, _ := strings.Cut(strings.ToLower(name), ".")
	return []string{strings.ToLower(name), short, short + ".local"}
}

// OwnHost reports whether a Host header names this machine: by an address, for which no browser asks
// a name server, or by one of its names.
func OwnHost(hostport string, names []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.Contains(names, strings.TrimSuffix(host, "."))
}
