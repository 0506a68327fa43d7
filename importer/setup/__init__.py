"""Set-up: a project of Label Studio with its label config, its tab, its pages and the backend."""
