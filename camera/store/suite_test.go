package store_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"pithings/camera/store"
	"pithings/camera/store/storetest"
)

func TestDiskConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func(string) (*http.Response, error)) {
		mux := http.NewServeMux()
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		d, err := store.NewDisk(t.TempDir(), store.Opts{}, func() string { return server.URL + "/pictures" })
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle("/pictures/", http.StripPrefix("/pictures", d.Handler()))
		return d, server.Client().Get
	})
}
