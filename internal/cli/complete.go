package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// completePath completes a PATH: directories, and the checkpoints in the one
// being typed, each once and not by its several files. Errors complete to
// nothing: there is no place to print them.
func (a *app) completePath(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	dir, _ := filepath.Split(typed)
	read := dir
	if read == "" {
		read = "."
	}
	entries, err := os.ReadDir(read)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, e := range entries {
		name := completion(e)
		if name != "" && strings.HasPrefix(dir+name, typed) && !needsEscape(dir+name) {
			found = append(found, dir+name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completion returns what a directory entry completes to, or "".
func completion(e os.DirEntry) string {
	if e.IsDir() {
		return e.Name() + string(filepath.Separator)
	}
	if name, ok := strings.CutSuffix(e.Name(), ".index"); ok {
		return name
	}
	return ""
}

// completePaths is for commands with a list of PATHs.
func (a *app) completePaths(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completePath(c, args, typed)
}

// completeOnePath is for commands with a single PATH.
func (a *app) completeOnePath(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completePath(c, args, typed)
}

// completeTensor completes PATH and then the NAME of a tensor in it.
func (a *app) completeTensor(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return a.completeOnePath(c, args, typed)
	}
	var found []cobra.Completion
	err := a.withCheckpoint(c.Context(), args[0], func(r *opened) error {
		for _, name := range r.Names() {
			if short := strings.TrimSuffix(name, variableValue); strings.HasPrefix(short, typed) && !needsEscape(short) {
				found = append(found, short)
			}
		}
		return nil
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
