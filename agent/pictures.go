package agent

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"pithings/camera/store"
	"pithings/mqttlink/outbox"
)

// pictures returns the store of the cameras' pictures, made for the first of
// them. Its URLs are those that hosts near that camera's broker can reach.
func (s *thingService) pictures(thing string) (store.Store, error) {
	if s.store != nil {
		return s.store.For(thing), nil
	}
	if err := s.folder.own(); err != nil {
		return nil, err
	}
	p := s.current().Pictures
	disk, err := store.NewDisk(filepath.Join(s.folder.Dir, "pictures"),
		store.Opts{MaxCount: p.MaxCount, MaxBytes: int64(p.MaxBytes), Sync: s.syncPictures(thing), Query: s.signPictures(p.Expiry.Duration)},
		func() string { return s.baseURL(thing) + "/pictures" })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.store = disk
	s.mu.Unlock()
	return disk.For(thing), nil
}

// picturesFolder is the path of pictures by their names.
const picturesFolder = "/pictures/"

// signPictures returns what signs the addresses of pictures for so long, nil if names are enough.
func (s *thingService) signPictures(expiry time.Duration) func(name string) string {
	if expiry == 0 {
		return nil
	}
	return func(name string) string {
		query, err := s.web.door.Sign(picturesFolder+name, time.Now().Add(expiry))
		if err != nil {
			s.repeats.Say(slog.LevelError, "sign", "address of a picture cannot be signed: only clients that are logged in can open it", "err", err)
			return ""
		}
		return "?" + query
	}
}

// syncPictures reports whether a picture has to be on the disk before it is
// announced: where the announcement outlives a power cut.
func (s *thingService) syncPictures(thing string) bool {
	c := s.current()
	return c.Connection(c.Thing(thing)).Queue.Sync != outbox.SyncNever.String()
}

// baseURL is where others find the pictures of a camera.
func (s *thingService) baseURL(thing string) string {
	url, ok := baseURL(s.current().HTTP.BaseURL, s.web.scheme(), s.web.Addr(), s.links.localAddr(thing), ownAddrs)
	if !ok {
		s.repeats.Say(slog.LevelWarn, "base url", "this machine has no address in a network: only programs on it can fetch the pictures until it has, or until http.base_url says how others reach it",
			"thing", thing, "pictures", url)
	}
	return url
}

// kept returns the store of pictures, or nil.
func (s *thingService) kept() *store.Disk {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.store
}

// servePicture answers with a picture of the store, if there is one.
func (s *thingService) servePicture(w http.ResponseWriter, r *http.Request) {
	disk := s.kept()
	if disk == nil {
		http.NotFound(w, r)
		return
	}
	http.StripPrefix("/pictures", disk.Handler()).ServeHTTP(w, r)
}
