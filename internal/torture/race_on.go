//go:build race

package torture

const race = true
