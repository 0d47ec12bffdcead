package agent

import (
	"net/http"
	"testing"
)

// Pictures are listed by the page, the newest first, with who took them, and can be deleted.
func TestPicturesAreListedAndDeleted(t *testing.T) {
	s := serveThings(t, "things: [{name: eye, type: camera, size: 64x48, warm_up_frames: 0}, {name: back, type: camera, device: /dev/video1, size: 64x48, warm_up_frames: 0}]\n")
	for _, thing := range []string{"eye", "back", "eye"} {
		if status, text := s.answer(t, "act", "POST", "/api/v1/things/"+thing+"/actions/capture", "{}", nil); status != http.StatusOK {
			t.Fatalf("%s: %d %s", thing, status, text)
		}
	}
	var page pictureList
	list := func(query string) {
		t.Helper()
		page = pictureList{}
		if status, text := s.answer(t, "look", "GET", "/api/v1/pictures"+query, "", &page); status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, status, text)
		}
	}
	list("?limit=2")
	if p := page.Pictures; len(p) != 2 || p[0].Thing != "eye" || p[1].Thing != "back" || !p[0].Time.After(p[1].Time) || p[0].Size == 0 || page.Count != 3 || page.Next == "" {
		t.Fatalf("the first page: %+v", page)
	}
	newest := page.Pictures[0].Name
	list("?limit=2&from=" + page.Next)
	if p := page.Pictures; len(p) != 1 || p[0].Thing != "eye" || p[0].Name == newest || page.Next != "" {
		t.Fatalf("the second page: %+v", page)
	}
	list("?thing=back")
	if p := page.Pictures; len(p) != 1 || p[0].Thing != "back" {
		t.Errorf("of one thing: %+v", page)
	}
	if resp := s.ask(t, "GET", "/pictures/"+newest, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the newest: %s", resp.Status)
	}
	for _, tc := range []struct {
		role, name string
		status     int
	}{{"look", newest, 403}, {"", newest, 401}, {"act", newest, 200}, {"act", newest, 404}, {"act", "taken-by.txt", 404}, {"act", "..%2Fsocket", 404}} {
		if status, text := s.answer(t, tc.role, "POST", "/api/v1/pictures/"+tc.name+"/delete", "{}", nil); status != tc.status {
			t.Errorf("delete %s as %q: %d %s, want %d", tc.name, tc.role, status, text, tc.status)
		}
	}
	if resp := s.ask(t, "GET", "/pictures/"+newest, ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after it was deleted: %s", resp.Status)
	}
	if list(""); page.Count != 2 {
		t.Errorf("what is left: %+v", page)
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x", "?from=x", "?from=1-x.jpg"} {
		if status, _ := s.answer(t, "look", "GET", "/api/v1/pictures"+query, "", nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, status)
		}
	}
}

// An agent without a camera has no pictures.
func TestNoPictures(t *testing.T) {
	s := serveThings(t, "things: [{name: relay, type: output, pin: GPIO27}]\n")
	var page pictureList
	if status, text := s.answer(t, "look", "GET", "/api/v1/pictures", "", &page); status != http.StatusOK || page.Pictures == nil || len(page.Pictures) != 0 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := s.answer(t, "act", "POST", "/api/v1/pictures/abcdefghijklmnopqrstuvwxyz.jpg/delete", "", nil); status != http.StatusNotFound {
		t.Errorf("delete: %d", status)
	}
}
