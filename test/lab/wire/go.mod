module kubectl-telemetry/lab/wire

go 1.26
