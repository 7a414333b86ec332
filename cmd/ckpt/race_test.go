//go:build race

package main

// raceOverhead is how many times the memory a program takes with the race detector.
const raceOverhead = 10
