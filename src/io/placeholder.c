typedef int uw__placeholder; /* replaced by the module's first file */
