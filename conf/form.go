package conf

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// form checks a text of the form that the tag of its field names:
//
//	form:"network"   in CIDR notation: 192.168.0.0/16
//	form:"folder"    a full path
func form(name, text string) error {
	switch name {
	case "":
	case "network":
		if _, err := netip.ParsePrefix(text); err != nil {
			return fmt.Errorf("%s is not a network; write 192.168.0.0/16 or fd00::/8, one address with /32 or /128", Quote(text))
		}
	case "folder":
		if !filepath.IsAbs(text) && !strings.HasPrefix(text, "/") {
			return fmt.Errorf("%s is not a full path; begin with /", Quote(text))
		}
	default:
		panic("conf: unknown form " + name + " in a struct tag")
	}
	return nil
}
