package conf

import "fmt"

// Report collects what is wrong with the values of one file, each at its place.
type Report struct {
	Places
	Problems Error
	Warnings []Warning
}

// NewReport returns an empty report on the file source.
func NewReport(source string) *Report { return &Report{Places: NewPlaces(source)} }

// Bad adds a problem with the value at path.
func (r *Report) Bad(path, format string, args ...any) {
	r.Problems.Add(r.Problem(path, fmt.Sprintf(format, args...), ""))
}

// Warn adds a warning of the value at path.
func (r *Report) Warn(path, format string, args ...any) {
	r.Warnings = append(r.Warnings, r.Problem(path, fmt.Sprintf(format, args...), ""))
}

// Missing adds a problem for each required key without a value in the struct that p points
// to, but not in the sections in it. path is that of the struct, and what names it. The tag required may say what to
// write, instead of "true". It returns the keys.
func (r *Report) Missing(p any, path, what string) (keys []string) {
	for _, f := range Fields(p) {
		if !f.Required() || !f.Value.IsZero() {
			continue
		}
		hint := ""
		if tag := f.Tag.Get("required"); tag != "true" {
			hint = "; " + tag
		}
		r.Bad(Join(path, f.Key), "%s has no %s%s", what, f.Key, hint)
		keys = append(keys, f.Key)
	}
	return keys
}

// Result returns the warnings in the order of the file, and the problems as an *Error, or
// nil when there are none.
func (r *Report) Result() ([]Warning, error) {
	Sort(r.Warnings)
	return r.Warnings, r.Problems.Err()
}
