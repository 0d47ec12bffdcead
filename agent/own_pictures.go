package agent

import (
	"net/url"
	"path"
	"strings"

	"pithings/agent/access"
	"pithings/camera/store"
)

// ownPictures returns a function that reports whether an address names a picture that
// we have taken, this process or another of ours on this machine: those are the
// only ones that it fetches from loopback addresses. They are known by their names,
// which are 128 random bits, and may be signed (pictures.expiry), so that the address has no
// room for anything that another service would act on. Base is http.base_url, below which a proxy may have
// the pictures.
func ownPictures(base string) func(*url.URL) bool {
	const folder = "/pictures/"
	proxy, err := url.Parse(base)
	if err != nil || proxy.Host == "" {
		proxy = nil
	}
	return func(u *url.URL) bool {
		dir, name := path.Split(u.EscapedPath())
		if !store.IsName(name) || u.User != nil || u.RawQuery != "" && !access.IsSigned(u.RawQuery) || u.ForceQuery {
			return false
		}
		return dir == folder ||
			proxy != nil && strings.EqualFold(u.Host, proxy.Host) && dir == strings.TrimSuffix(proxy.EscapedPath(), "/")+folder
	}
}
