package agent

import (
	"fmt"
	"net/http"
	"strconv"

	"pithings/api"
	"pithings/camera/store"
)

const picturesPath = "/api/v1/pictures"

// The pictures of a page of their list.
const (
	picturesUsual = 50
	picturesMost  = 500
)

// pictureList is a page of the pictures that are kept.
type pictureList struct {
	store.Page
	Count int   `json:"count"` // of all that are kept
	Bytes int64 `json:"bytes"`
}

// pictureRoutes show which pictures are kept, and remove them. disk may be nil. Who may look at
// the list learns the pictures' names, by which anyone can fetch them.
func pictureRoutes(disk func() *store.Disk) []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Path: picturesPath, For: api.Look, Doc: "list the pictures that are kept, the newest first", Gives: pictureList{},
			Params: []api.Param{{Name: "thing", Doc: "only those that it took"}, {Name: "limit", Doc: "how many at most: 1 to 500", Type: "integer"}, {Name: "from", Doc: "next of the page before"}},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				most := picturesUsual
				if text := r.FormValue("limit"); text != "" {
					var err error
					if most, err = strconv.Atoi(text); err != nil || most < 1 || most > picturesMost {
						return nil, fmt.Errorf("limit: %.80q is no number from 1 to %d (%w)", text, picturesMost, api.Status(http.StatusBadRequest))
					}
				}
				d := disk()
				if d == nil {
					return pictureList{Page: store.Page{Pictures: []store.Picture{}}}, nil
				}
				page, err := d.List(r.FormValue("thing"), r.FormValue("from"), most)
				if err != nil {
					return nil, fmt.Errorf("from: %w (%w)", err, api.Status(http.StatusBadRequest))
				}
				list := pictureList{Page: page}
				list.Count, list.Bytes = d.Usage()
				return list, nil
			})},
		{Method: http.MethodPost, Path: picturesPath + "/{name}/delete", For: api.Act, Doc: "delete a picture", Gives: struct{}{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				found, name := false, r.PathValue("name")
				if d := disk(); d != nil {
					var err error
					if found, err = d.Remove(name); err != nil {
						return nil, err
					}
				}
				if !found {
					return nil, fmt.Errorf("no picture is named %.80q (%w)", name, api.Status(http.StatusNotFound))
				}
				return struct{}{}, nil
			})},
	}
}
