package agent

import (
	"net/url"
	"strings"
	"testing"
)

// TestOwnPictures: what a screen may fetch from this machine has no room for what
// another service here would act on.
func TestOwnPictures(t *testing.T) {
	const name = "abcdefghijklmnopqrstuvwxyz.jpg"
	own := ownPictures("https://pi.home/cameras/")
	for address, want := range map[string]bool{
		"http://127.0.0.1:8080/pictures/" + name:                                                                      true,
		"http://[::1]:9999/pictures/" + name:                                                                          true,
		"https://pi.home/cameras/pictures/" + name:                                                                    true,
		"https://PI.home/cameras/pictures/" + name:                                                                    true,
		"https://other.home/cameras/pictures/" + name:                                                                 false,
		"http://127.0.0.1:8080/healthz":                                                                               false,
		"http://127.0.0.1:8080/pictures/":                                                                             false,
		"http://127.0.0.1:8080/pictures/x.jpg":                                                                        false,
		"http://127.0.0.1:8080/pictures/../reboot/" + name:                                                            false,
		"http://127.0.0.1:8080/pictures%2f" + name:                                                                    false,
		"http://127.0.0.1:8080/a/pictures/" + name:                                                                    false,
		"http://127.0.0.1:8080/pictures/" + name + "?reboot":                                                          false,
		"http://127.0.0.1:8080/pictures/" + name + "?":                                                                false,
		"http://127.0.0.1:8080/pictures/" + name + "?exp=1796130960&sig=" + strings.Repeat("aB-_", 10) + "xyw":        true,
		"http://127.0.0.1:8080/pictures/" + name + "?exp=1796130960&sig=" + strings.Repeat("aB-_", 10) + "xyw&reboot": false,
		"http://127.0.0.1:8080/pictures/" + name + "?exp=1796130960&sig=" + strings.Repeat("a%2F", 10) + "xyw":        false,
		"http://127.0.0.1:8080/pictures/" + name + "?exp=reboot&sig=" + strings.Repeat("aB-_", 10) + "xyw":            false,
		"http://u@127.0.0.1:8080/pictures/" + name:                                                                    false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := own(u); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if u, _ := url.Parse("http://127.0.0.1/pictures/" + name); !ownPictures("")(u) {
		t.Error("without a base URL none is known")
	}
}
