package cli

// Commands returns the names of the commands there are.
func Commands() []string { return commandNames(new(app).root()) }
