module kubectl-telemetry/lab/stand-in

go 1.26
