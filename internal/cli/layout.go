package cli

import "strings"

// layoutJSON is what --layout prints, a line an element.
type layoutJSON struct {
	Schema int      `json:"schema"`
	Path   string   `json:"path"`
	Format string   `json:"format"`
	Layout []string `json:"layout"`
}

func (a *app) showLayout(r *opened) error {
	if !a.json {
		a.title(r)
		w := &printableWriter{w: a.out}
		if err := r.Layout(w); err != nil {
			return r.explain(err)
		}
		return w.Flush()
	}
	var text strings.Builder
	if err := r.Layout(&text); err != nil {
		return r.explain(err)
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	return a.printJSON(layoutJSON{schema, r.name, r.Format(), lines})
}
