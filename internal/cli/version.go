package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionJSON struct {
	Schema   int    `json:"schema"`
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version of ckpt",
		Args:              wantArgs(0, 0, "none"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return a.version() },
	}
}

func (a *app) version() error {
	info, _ := debug.ReadBuildInfo()
	return a.printVersion(versionOf(info))
}

// versionOf reads what the go command left in the program; info may be nil.
func versionOf(info *debug.BuildInfo) versionJSON {
	v := versionJSON{Schema: schema, Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (a *app) printVersion(v versionJSON) error {
	if a.json {
		return a.printJSON(v)
	}
	fmt.Fprintf(a.out, "ckpt %s %s %s\n", v.Version, v.Go, v.Platform)
	if v.Revision == "" {
		return nil
	}
	modified := ""
	if v.Modified {
		modified = ", with changes"
	}
	fmt.Fprintf(a.out, "commit %s of %s%s\n", v.Revision, v.Time, modified)
	return nil
}
